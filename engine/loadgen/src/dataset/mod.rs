//! What is asked: requests from a description of a workload.
