/* Streams, events, host functions. A stream is a thread with a queue; the default stream waits for blocking streams and they for it. */
#include "state.h"
#include <cstdio>
#include <cstring>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace sim {

std::recursive_mutex world;
std::set<CUstream> streams;

/* The real driver takes the system for broken where it cannot do that: CUDA_ERROR_OPERATING_SYSTEM. */
static void name_thread(const char *name) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%ld/comm", syscall(SYS_gettid));
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, name, strlen(name)) < 0) sticky = CUDA_ERROR_OPERATING_SYSTEM;
    if (file >= 0) close(file);
}

void Mark::finish() {
    std::lock_guard<std::mutex> hold(lock);
    at = Clock::now();
    done = true;
    changed.notify_all();
}

void Mark::wait() {
    std::unique_lock<std::mutex> hold(lock);
    changed.wait(hold, [this] { return done; });
}

bool Mark::is_done() {
    std::lock_guard<std::mutex> hold(lock);
    return done;
}

CUstream stream_of(CUstream stream) {
    static CUstream legacy = new CUstream_st(true);
    return stream ? stream : legacy;
}

void drain_all() {
    std::vector<MarkRef> marks;
    {
        std::lock_guard<std::recursive_mutex> hold(world);
        for (CUstream stream : streams) {
            if (stream->last) marks.push_back(stream->last);
        }
    }
    for (const MarkRef &mark : marks) mark->wait();
}

int enqueue(CUstream handle, Work work) {
    CUstream stream = stream_of(handle);
    std::lock_guard<std::recursive_mutex> hold(world);
    if (CUgraph graph = stream->capture) {
        if (graph->invalid) return CUDA_ERROR_STREAM_CAPTURE_INVALIDATED;
        graph->nodes.push_back(std::move(work));
        if (stream != graph->origin) graph->loose.insert(stream);
        return CUDA_SUCCESS;
    }
    if (!handle) {
        for (CUstream other : streams) {
            if (!other->capture || !other->blocking) continue;
            other->capture->invalid = true;
            return CUDA_ERROR_STREAM_CAPTURE_IMPLICIT;
        }
    }
    stream->put(std::move(work));
    return CUDA_SUCCESS;
}

} // namespace sim

using namespace sim;

CUstream_st::CUstream_st(bool blocking) : blocking(blocking), thread([this] { run(); }) {
    std::lock_guard<std::recursive_mutex> hold(world);
    streams.insert(this);
}

CUstream_st::~CUstream_st() {
    {
        std::lock_guard<std::recursive_mutex> hold(world);
        streams.erase(this);
    }
    {
        std::lock_guard<std::mutex> hold(lock);
        ending = true;
    }
    changed.notify_all();
    thread.join();
}

MarkRef CUstream_st::put(Work work, bool host) {
    std::lock_guard<std::recursive_mutex> hold(world);
    Item item;
    CUstream legacy = stream_of(nullptr);
    for (CUstream other : streams) {
        bool ordered = this == legacy ? other->blocking && other != this : blocking && other == legacy;
        if (ordered && other->last) item.before.push_back(other->last);
    }
    item.mark = last = std::make_shared<Mark>();
    item.work = [work = std::move(work), host] {
        if (!work || sticky) return;
        if (host) work();
        else guarded(work);
    };
    {
        std::lock_guard<std::mutex> own(lock);
        queue.push_back(std::move(item));
    }
    changed.notify_all();
    return last;
}

void CUstream_st::drain() {
    MarkRef mark;
    {
        std::lock_guard<std::recursive_mutex> hold(world);
        mark = last;
    }
    if (mark) mark->wait();
}

void CUstream_st::run() {
    /* As the real driver names its threads, by a file; a sandbox must let it. */
    name_thread("sim-stream");
    for (;;) {
        Item item;
        {
            std::unique_lock<std::mutex> hold(lock);
            changed.wait(hold, [this] { return ending || !queue.empty(); });
            if (queue.empty()) return;
            item = std::move(queue.front());
            queue.pop_front();
        }
        for (const MarkRef &mark : item.before) mark->wait();
        item.work();
        item.mark->finish();
    }
}

/* A capturing stream cannot be asked or waited for; who tries breaks the capture. */
static int breaks(CUstream stream) {
    std::lock_guard<std::recursive_mutex> hold(world);
    if (!stream->capture) return 0;
    stream->capture->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

static int breaks(CUevent event) {
    std::lock_guard<std::recursive_mutex> hold(world);
    if (!event->graph) return 0;
    event->graph->invalid = true;
    return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
}

extern "C" {

CUresult cuStreamCreate(CUstream *stream, unsigned flags) {
    if (int error = ready()) return error;
    stream_of(nullptr);
    *stream = new CUstream_st(flags != CU_STREAM_NON_BLOCKING);
    return CUDA_SUCCESS;
}

CUresult cuStreamDestroy(CUstream stream) {
    if (int error = ready()) return error;
    if (!stream) return CUDA_ERROR_INVALID_HANDLE;
    if (int error = breaks(stream)) return error;
    delete stream;
    return CUDA_SUCCESS;
}

CUresult cuStreamSynchronize(CUstream stream) {
    if (int error = ready()) return error;
    if (int error = breaks(stream_of(stream))) return error;
    stream_of(stream)->drain();
    return sticky;
}

CUresult cuStreamQuery(CUstream stream) {
    if (int error = ready()) return error;
    if (int error = breaks(stream_of(stream))) return error;
    MarkRef mark = stream_of(stream)->last;
    return mark && !mark->is_done() ? static_cast<int>(CUDA_ERROR_NOT_READY) : sticky.load();
}

CUresult cuStreamIsCapturing(CUstream stream, int *status) {
    if (int error = ready()) return error;
    std::lock_guard<std::recursive_mutex> hold(world);
    CUgraph graph = stream_of(stream)->capture;
    *status = !graph ? 0 : graph->invalid ? 2 : 1;
    return CUDA_SUCCESS;
}

CUresult cuStreamWaitEvent(CUstream handle, CUevent event, unsigned) {
    if (int error = ready()) return error;
    std::lock_guard<std::recursive_mutex> hold(world);
    CUstream stream = stream_of(handle);
    if (CUgraph graph = event->graph) {
        if (!stream->capture) {
            stream->capture = graph;
            graph->loose.insert(stream);
        }
        if (event->recorded != stream) graph->loose.erase(event->recorded);
        return CUDA_SUCCESS;
    }
    if (MarkRef mark = event->mark) stream->put([mark] { mark->wait(); }, true);
    return CUDA_SUCCESS;
}

CUresult cuLaunchHostFunc(CUstream handle, CUhostFn function, void *data) {
    if (int error = ready()) return error;
    std::lock_guard<std::recursive_mutex> hold(world);
    if (stream_of(handle)->capture) return enqueue(handle, [=] { function(data); });
    stream_of(handle)->put([=] { function(data); }, true);
    return CUDA_SUCCESS;
}

CUresult cuEventCreate(CUevent *event, unsigned flags) {
    if (int error = ready()) return error;
    *event = new CUevent_st;
    (*event)->timed = !(flags & CU_EVENT_DISABLE_TIMING);
    return CUDA_SUCCESS;
}

CUresult cuEventDestroy(CUevent event) {
    delete event;
    return CUDA_SUCCESS;
}

CUresult cuEventRecord(CUevent event, CUstream handle) {
    if (int error = ready()) return error;
    std::lock_guard<std::recursive_mutex> hold(world);
    CUstream stream = stream_of(handle);
    event->graph = stream->capture;
    event->recorded = stream;
    event->mark = stream->capture ? nullptr : stream->put(nullptr);
    return CUDA_SUCCESS;
}

CUresult cuEventQuery(CUevent event) {
    if (int error = ready()) return error;
    if (int error = breaks(event)) return error;
    return event->mark && !event->mark->is_done() ? static_cast<int>(CUDA_ERROR_NOT_READY) : sticky.load();
}

CUresult cuEventSynchronize(CUevent event) {
    if (int error = ready()) return error;
    if (int error = breaks(event)) return error;
    if (event->mark) event->mark->wait();
    return sticky;
}

CUresult cuEventElapsedTime(float *milliseconds, CUevent start, CUevent end) {
    if (int error = ready()) return error;
    if (!start->timed || !end->timed || !start->mark || !end->mark) return CUDA_ERROR_INVALID_HANDLE;
    if (!start->mark->is_done() || !end->mark->is_done()) return CUDA_ERROR_NOT_READY;
    *milliseconds = std::chrono::duration<float, std::milli>(end->mark->at - start->mark->at).count();
    return CUDA_SUCCESS;
}

CUresult cuEventElapsedTime_v2(float *milliseconds, CUevent start, CUevent end) { return cuEventElapsedTime(milliseconds, start, end); }
}
