-- Only an annotation that is not in Git is changed: nothing that Argo CD would put back.
local annotations = obj.metadata.annotations
local is_paused = annotations ~= nil and annotations["valkey-gitops.dev/paused"] == "true"

local actions = {}
actions["pause"] = {
  ["disabled"] = is_paused,
  ["iconClass"] = "fa fa-fw fa-pause-circle",
  ["displayName"] = "Hold restarts back",
}
actions["resume"] = {
  ["disabled"] = not is_paused,
  ["iconClass"] = "fa fa-fw fa-play-circle",
  ["displayName"] = "Let pods restart again",
}
return actions
