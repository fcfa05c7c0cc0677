-- Follows kstatus: only what is said of the latest generation counts; then work comes before failure, and failure before readiness.
-- The libraries of Lua are not there, but for tables.
local health = {status = "Progressing", message = "Waiting for the topology agent"}

local status = obj.status
if status == nil or status.conditions == nil or status.observedGeneration ~= obj.metadata.generation then
  return health
end

local conditions = {}
for _, condition in ipairs(status.conditions) do
  conditions[condition.type] = condition
end

local function holds(kind)
  return conditions[kind] ~= nil and conditions[kind].status == "True"
end

if status.summary ~= nil and status.summary ~= "" then
  health.message = status.summary
end

local annotations, upgrade = obj.metadata.annotations, obj.spec ~= nil and obj.spec.upgrade or nil
local is_paused = annotations ~= nil and annotations["valkey-gitops.dev/paused"] == "true"
  or upgrade ~= nil and upgrade.paused == true

if holds("Reconciling") then
  -- Nothing but restarts is held back: while slots or replicas are missing, there is work to do, and somebody to be told.
  if is_paused and holds("SlotsCovered") and holds("ReplicasInSync") and not holds("UpToDate") then
    health.status = "Suspended"
    health.message = "Restarts are held back: " .. health.message
  end
elseif holds("Stalled") then
  health.status = "Degraded"
elseif holds("Ready") then
  health.status = "Healthy"
end
return health
