//! Which deployment wins: SLA recomputed from records, only fair comparisons.
