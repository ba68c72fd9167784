//! A simulated OpenAI-compatible server that knows the true times.
