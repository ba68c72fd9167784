//! Which deployments a search tries, in which order.
