//! What the records of a run say.
