//! What a deployment must reach to count: limits on latency and success.
