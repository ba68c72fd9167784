/* A driver of CUDA that has no device: what its parts share. Memory is the process's own, a stream is a thread with a queue, a kernel is a
 * library that runs CUDA C++ on the processor (see kernel.h). It behaves as the real one does in what the worker relies on: work is
 * asynchronous, streams overtake each other, errors stick, capture forbids what it forbids. It tells nothing about speed.
 *
 * Settings come from the environment: SIM_CUDA_KERNELS is the folder with kernels, SIM_CUDA holds words among `devices=0`, `init=N` (the error
 * of cuInit), `lost=hang`, `lost=error` and `memory_mib=N`, with commas between them. */
#pragma once
#include "api.h"
#include "launch.h"
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <thread>
#include <vector>

namespace sim {

using Clock = std::chrono::steady_clock;

/* Compute capability, cache and memory of the device that is not there. */
constexpr int MAJOR = 9, MINOR = 0, SMS = 4, L2 = 1 << 20;
constexpr unsigned STATIC_SHARED = 48 << 10, MOST_SHARED = 227 << 10, MOST_THREADS = 1024;

/* The value of a word of SIM_CUDA; empty where it is not there. */
std::string setting(const char *name);

/* Something that will be over. */
struct Mark {
    std::mutex lock;
    std::condition_variable changed;
    bool done = false;
    Clock::time_point at;
    void finish();
    void wait();
    bool is_done();
};
using MarkRef = std::shared_ptr<Mark>;
using Work = std::function<void()>;

/* The first error that sticks; every call gives it from then on. */
extern std::atomic<int> sticky;

/* Work that touches memory which nobody has ends here with an error that sticks, as on a device. */
void guarded(const Work &work);

} // namespace sim

/* Handles of the API. */
struct CUgraph_st {
    std::vector<sim::Work> nodes;
    CUstream origin = nullptr;
    bool invalid = false;
    /* Streams that came in by an event and were not joined since. */
    std::set<CUstream> loose;
};

struct CUgraphExec_st {
    std::vector<sim::Work> nodes;
};

struct CUevent_st {
    std::mutex lock;
    sim::MarkRef mark;
    bool timed = true;
    /* Where it was recorded while that stream was captured. */
    CUgraph graph = nullptr;
    CUstream recorded = nullptr;
};

struct CUstream_st {
    explicit CUstream_st(bool blocking);
    ~CUstream_st();
    /* Puts work behind everything that is in the stream, and behind what the default stream's rules say. */
    sim::MarkRef put(sim::Work work, bool host = false);
    void drain();
    /* Waits for all of the default stream's rules, too. */
    const bool blocking;
    CUgraph capture = nullptr;
    sim::MarkRef last;

  private:
    struct Item {
        sim::Work work;
        std::vector<sim::MarkRef> before;
        sim::MarkRef mark;
    };
    void run();
    std::mutex lock;
    std::condition_variable changed;
    std::deque<Item> queue;
    bool ending = false;
    std::thread thread;
};

namespace sim {

/* Guards what streams know of each other, and captures. */
extern std::recursive_mutex world;
extern std::set<CUstream> streams;

/* The stream of a handle: null is the default stream. */
CUstream stream_of(CUstream stream);
void drain_all();

/* 0, or why this call cannot be made now: an error that sticks, no context, or a capture that it would break. */
int ready();
int unsafe_in_capture();

/* Puts work into a stream or into the graph that the stream is captured to. */
int enqueue(CUstream stream, Work work);

/* Whether these bytes are memory of the device. */
bool owns(CUdeviceptr address, size_t bytes);
size_t memory_total();
bool initialised();

/* The limit of the stack is raised by the launch that needs more, and stays so. */
void stack_for(size_t bytes);

} // namespace sim
