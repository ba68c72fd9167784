//! The streaming client: one thread, one event loop.
