"""What a user of HolisticTraceAnalysis runs for about the same tables: load one trace, build seven views."""

import sys

from hta.trace_analysis import TraceAnalysis

# A trace without its neighbours needs to be named for its rank.
analysis = TraceAnalysis(trace_files={0: sys.argv[1]})
analysis.get_temporal_breakdown(visualize=False)
analysis.get_idle_time_breakdown(visualize=False)
analysis.get_gpu_kernel_breakdown(visualize=False, num_kernels=10)
analysis.get_comm_comp_overlap(visualize=False)
analysis.get_cuda_kernel_launch_stats(visualize=False)
analysis.get_queue_length_summary()
analysis.get_memory_bw_summary()
