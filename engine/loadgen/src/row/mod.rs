//! The line that is published: one JSON object per candidate and scenario.
