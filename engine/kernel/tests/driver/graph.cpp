/* Capture into graphs, and their replay. What is recorded is what was asked of captured streams, in that order. */
#include "state.h"

namespace sim {

static std::set<CUgraph> captures;

/* In the mode that is global, no thread may do what could wait for the device. */
int unsafe_in_capture() {
    std::lock_guard<std::recursive_mutex> hold(world);
    for (CUgraph graph : captures) graph->invalid = true;
    return captures.empty() ? 0 : CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

} // namespace sim

using namespace sim;

extern "C" {

CUresult cuStreamBeginCapture(CUstream stream, int mode) {
    if (int error = ready()) return error;
    std::lock_guard<std::recursive_mutex> hold(world);
    if (!stream) return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    if (stream->capture) return CUDA_ERROR_ILLEGAL_STATE;
    stream->capture = new CUgraph_st;
    stream->capture->origin = stream;
    if (mode == CU_STREAM_CAPTURE_MODE_GLOBAL) captures.insert(stream->capture);
    return CUDA_SUCCESS;
}

CUresult cuStreamEndCapture(CUstream stream, CUgraph *result) {
    if (int error = ready()) return error;
    std::lock_guard<std::recursive_mutex> hold(world);
    *result = nullptr;
    CUgraph graph = stream ? stream->capture : nullptr;
    if (!graph || graph->origin != stream) return CUDA_ERROR_ILLEGAL_STATE;
    captures.erase(graph);
    for (CUstream other : streams) {
        if (other->capture == graph) other->capture = nullptr;
    }
    if (graph->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
    if (!graph->loose.empty()) return CUDA_ERROR_STREAM_CAPTURE_UNJOINED;
    *result = graph;
    return CUDA_SUCCESS;
}

CUresult cuGraphInstantiateWithFlags(CUgraphExec *exec, CUgraph graph, unsigned long long) {
    if (int error = ready()) return error;
    if (!graph) return CUDA_ERROR_INVALID_VALUE;
    *exec = new CUgraphExec_st{graph->nodes};
    return CUDA_SUCCESS;
}

CUresult cuGraphLaunch(CUgraphExec exec, CUstream stream) {
    if (int error = ready()) return error;
    if (!exec) return CUDA_ERROR_INVALID_VALUE;
    std::vector<Work> nodes = exec->nodes;
    return enqueue(stream, [nodes] {
        for (const Work &node : nodes) node();
    });
}

/* An event may still tell of the graph that it was recorded in, so it is kept. */
CUresult cuGraphDestroy(CUgraph) { return ready(); }

CUresult cuGraphExecDestroy(CUgraphExec exec) {
    delete exec;
    return ready();
}
}
