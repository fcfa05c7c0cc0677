local annotations = obj.metadata.annotations
if annotations ~= nil then
  annotations["valkey-gitops.dev/paused"] = nil
  -- An empty table becomes an empty list, and Argo CD puts back the map that was there.
  if next(annotations) == nil then
    obj.metadata.annotations = nil
  end
end
return obj
