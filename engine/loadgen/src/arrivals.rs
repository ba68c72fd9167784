//! When each request is meant to start.
