//! In which stages the objects can be applied, for tools that wait for one folder before they apply the next.

use crate::document::Kind;

/// What is applied together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    /// What pods need before they start, and what is ready without them.
    Base,
    /// The servers, the agent, and all that is ready only with them.
    Cluster,
    /// What watches, and may be missing without keeping the cluster away.
    Observability,
}

impl Stage {
    /// All of them, in order.
    pub const ALL: [Self; 3] = [Self::Base, Self::Cluster, Self::Observability];

    /// The name of its folder.
    #[must_use]
    pub const fn folder(self) -> &'static str {
        match self {
            Self::Base => "00-base",
            Self::Cluster => "10-cluster",
            Self::Observability => "20-observability",
        }
    }

    /// The stage of a kind.
    ///
    /// Whoever waits for the base never waits for a pod: otherwise what is wrong with a cluster would keep away the change that mends it.
    /// So the disruption budget, which is met only by pods that are ready, and a service that waits for a load balancer come later. What
    /// the agent reads comes with the `StatefulSet`, for it would act on the one before the other is there.
    pub(crate) const fn of(kind: Kind) -> Self {
        match kind {
            Kind::ServiceAccount | Kind::Role | Kind::RoleBinding | Kind::NetworkPolicy | Kind::Certificate => {
                Self::Base
            }
            Kind::ConfigMap
            | Kind::Service
            | Kind::PodDisruptionBudget
            | Kind::StatefulSet
            | Kind::Deployment
            | Kind::ValkeyCluster => Self::Cluster,
            Kind::PodMonitor | Kind::PrometheusRule => Self::Observability,
        }
    }
}
