if obj.metadata.annotations ~= nil then
  obj.metadata.annotations["valkey-gitops.dev/paused"] = nil
end
return obj
