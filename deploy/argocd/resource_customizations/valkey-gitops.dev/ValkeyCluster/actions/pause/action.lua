-- The agent restarts no pod while this is there. Healing, scaling and failing over go on.
if obj.metadata.annotations == nil then
  obj.metadata.annotations = {}
end
obj.metadata.annotations["valkey-gitops.dev/paused"] = "true"
return obj
