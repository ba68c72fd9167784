//! `assay kernel-worker`, when somebody types it: a worker without a judge is nothing.

use crate::context::Cx;
use crate::fail::Failure;
use crate::reply::Reply;
use clap::Args;

/// Options of `kernel-worker`: none.
#[derive(Debug, Args)]
pub struct Options {}

/// Refuses. With the socket of a judge as standard input the process never comes here.
pub fn run(_: &Cx, _: Options) -> Result<Reply, Failure> {
    Err(Failure::usage("`kernel-worker` is what `assay kernel judge` starts; it does nothing by itself")
        .next("assay kernel judge --help", "says how a kernel is judged"))
}
