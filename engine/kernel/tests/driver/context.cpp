/* The driver itself, its one device, and the one context: identity, errors, limits. */
#include "state.h"
#include <csetjmp>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <unistd.h>

namespace sim {

std::atomic<int> sticky{0};

static std::atomic<bool> begun{false};
static thread_local bool current = false;
static thread_local sigjmp_buf *way_out = nullptr;
static struct sigaction before_us[2];

static const CUcontext CONTEXT = reinterpret_cast<CUcontext>(0x1000);

std::string setting(const char *name) {
    const char *all = getenv("SIM_CUDA");
    std::string words = std::string(",") + (all ? all : ""), key = std::string(",") + name + "=";
    size_t at = words.find(key);
    if (at == std::string::npos) return "";
    size_t from = at + key.size();
    return words.substr(from, words.find(',', from) - from);
}

bool initialised() { return begun; }

int ready() {
    if (!begun) return CUDA_ERROR_NOT_INITIALIZED;
    if (!current) return CUDA_ERROR_INVALID_CONTEXT;
    return sticky;
}

static void on_fault(int number, siginfo_t *info, void *context) {
    if (way_out) siglongjmp(*way_out, 1);
    struct sigaction &old = before_us[number == SIGBUS];
    if (old.sa_flags & SA_SIGINFO && old.sa_sigaction) return old.sa_sigaction(number, info, context);
    signal(number, SIG_DFL);
}

void guarded(const Work &work) {
    sigjmp_buf here;
    if (sigsetjmp(here, 1) == 0) {
        way_out = &here;
        work();
    } else {
        sticky = CUDA_ERROR_ILLEGAL_ADDRESS;
    }
    way_out = nullptr;
}

static int devices() {
    std::string count = setting("devices");
    return count.empty() ? 1 : atoi(count.c_str());
}

struct Named {
    int error;
    const char *name, *text;
};
static const Named ERRORS[] = {
#define ERROR(name, text) {name, #name, text}
    ERROR(CUDA_SUCCESS, "no error"),
    ERROR(CUDA_ERROR_INVALID_VALUE, "invalid argument"),
    ERROR(CUDA_ERROR_OUT_OF_MEMORY, "out of memory"),
    ERROR(CUDA_ERROR_NOT_INITIALIZED, "initialization error"),
    ERROR(CUDA_ERROR_NO_DEVICE, "no CUDA-capable device is detected"),
    ERROR(CUDA_ERROR_INVALID_DEVICE, "invalid device ordinal"),
    ERROR(CUDA_ERROR_INVALID_IMAGE, "device kernel image is invalid"),
    ERROR(CUDA_ERROR_INVALID_CONTEXT, "invalid device context"),
    ERROR(CUDA_ERROR_NO_BINARY_FOR_GPU, "no kernel image is available for execution on the device"),
    ERROR(CUDA_ERROR_UNSUPPORTED_LIMIT, "limit is not supported on this architecture"),
    ERROR(CUDA_ERROR_INVALID_PTX, "a PTX JIT compilation failed"),
    ERROR(CUDA_ERROR_UNSUPPORTED_PTX_VERSION, "the provided PTX was compiled with an unsupported toolchain."),
    ERROR(CUDA_ERROR_OPERATING_SYSTEM, "OS call failed or operation not supported on this OS"),
    ERROR(CUDA_ERROR_INVALID_HANDLE, "invalid resource handle"),
    ERROR(CUDA_ERROR_ILLEGAL_STATE, "the operation cannot be performed in the present state"),
    ERROR(CUDA_ERROR_NOT_FOUND, "named symbol not found"),
    ERROR(CUDA_ERROR_NOT_READY, "device not ready"),
    ERROR(CUDA_ERROR_ILLEGAL_ADDRESS, "an illegal memory access was encountered"),
    ERROR(CUDA_ERROR_LAUNCH_OUT_OF_RESOURCES, "too many resources requested for launch"),
    ERROR(CUDA_ERROR_LAUNCH_TIMEOUT, "the launch timed out and was terminated"),
    ERROR(CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED, "part or all of the requested memory range is already mapped"),
    ERROR(CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED, "pointer does not correspond to a registered memory region"),
    ERROR(CUDA_ERROR_LAUNCH_FAILED, "unspecified launch failure"),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED, "operation not permitted when stream is capturing"),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_INVALIDATED, "operation failed due to a previous error during capture"),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_UNJOINED, "capturing stream has unjoined work"),
    ERROR(CUDA_ERROR_STREAM_CAPTURE_IMPLICIT, "operation would make the legacy stream depend on a capturing blocking stream"),
    ERROR(CUDA_ERROR_UNKNOWN, "unknown error"),
#undef ERROR
};

static const Named *named(int error) {
    for (const Named &one : ERRORS) {
        if (one.error == error) return &one;
    }
    return nullptr;
}

static std::map<int, size_t> &limits() {
    static std::map<int, size_t> all = {{0, 1024}, {1, 1 << 20}, {2, 8 << 20}, {3, 2}, {4, 2048}, {5, 64}, {6, 0}};
    return all;
}
static int cache_config = 0;

void stack_for(size_t bytes) { limits()[CU_LIMIT_STACK_SIZE] = std::max(limits()[CU_LIMIT_STACK_SIZE], bytes); }

} // namespace sim

using namespace sim;

extern "C" {

CUresult cuInit(unsigned flags) {
    if (flags) return CUDA_ERROR_INVALID_VALUE;
    if (devices() == 0) return CUDA_ERROR_NO_DEVICE;
    std::string refused = setting("init");
    if (!refused.empty()) return atoi(refused.c_str());
    if (begun.exchange(true)) return CUDA_SUCCESS;
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER;
    sigaction(SIGSEGV, &action, &before_us[0]);
    sigaction(SIGBUS, &action, &before_us[1]);
    return CUDA_SUCCESS;
}

CUresult cuDriverGetVersion(int *version) {
    *version = 13000;
    return CUDA_SUCCESS;
}

CUresult cuGetErrorName(CUresult error, const char **name) {
    const Named *found = named(error);
    *name = found ? found->name : nullptr;
    return found ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuGetErrorString(CUresult error, const char **text) {
    const Named *found = named(error);
    *text = found ? found->text : nullptr;
    return found ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuDeviceGetCount(int *count) {
    if (!begun) return CUDA_ERROR_NOT_INITIALIZED;
    *count = devices();
    return CUDA_SUCCESS;
}

CUresult cuDeviceGet(CUdevice *device, int ordinal) {
    if (!begun) return CUDA_ERROR_NOT_INITIALIZED;
    if (ordinal < 0 || ordinal >= devices()) return CUDA_ERROR_INVALID_DEVICE;
    *device = ordinal;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetName(char *name, int length, CUdevice) {
    strncpy(name, "Simulated device", static_cast<size_t>(length));
    name[length - 1] = 0;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetUuid_v2(CUuuid *uuid, CUdevice) {
    for (int at = 0; at < 16; at++) uuid->bytes[at] = static_cast<char>(at * 17);
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetAttribute(int *value, int attribute, CUdevice) {
    /* Numbers of CUdevice_attribute. */
    static const std::map<int, int> all = {{1, MOST_THREADS},   {8, STATIC_SHARED}, {10, 32},   {16, SMS},         {38, L2}, {75, MAJOR},
                                           {76, MINOR},         {97, MOST_SHARED},  {108, L2},  {115, 1}};
    auto found = all.find(attribute);
    *value = found == all.end() ? 0 : found->second;
    return CUDA_SUCCESS;
}

CUresult cuDeviceTotalMem(size_t *bytes, CUdevice) {
    *bytes = memory_total();
    return CUDA_SUCCESS;
}

CUresult cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice) {
    if (!begun) return CUDA_ERROR_NOT_INITIALIZED;
    std::string lost = setting("lost");
    if (lost == "error") return CUDA_ERROR_UNKNOWN;
    while (lost == "hang") pause();
    *context = CONTEXT;
    return sticky;
}

/* A tool that looks on from within says then what it has found: `SIM_CUDA_SAID` holds its words, `SIM_CUDA_REPORT` the file. */
CUresult cuDevicePrimaryCtxRelease(CUdevice) {
    const char *report = getenv("SIM_CUDA_REPORT"), *said = getenv("SIM_CUDA_SAID");
    if (!report || !said) return CUDA_SUCCESS;
    if (FILE *file = fopen(report, "a")) {
        fprintf(file, "%s\n", said);
        fclose(file);
    }
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCurrent(CUcontext *context) {
    *context = current ? CONTEXT : nullptr;
    return CUDA_SUCCESS;
}

CUresult cuCtxSetCurrent(CUcontext context) {
    current = context == CONTEXT;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetDevice(CUdevice *device) {
    *device = 0;
    return ready();
}

CUresult cuCtxSynchronize(void) {
    if (int error = ready()) return error;
    if (int error = unsafe_in_capture()) return error;
    drain_all();
    return sticky;
}

CUresult cuCtxGetLimit(size_t *value, int limit) {
    if (int error = ready()) return error;
    auto found = limits().find(limit);
    if (found == limits().end()) return CUDA_ERROR_UNSUPPORTED_LIMIT;
    *value = found->second;
    return CUDA_SUCCESS;
}

CUresult cuCtxSetLimit(int limit, size_t value) {
    if (int error = ready()) return error;
    auto found = limits().find(limit);
    if (found == limits().end()) return CUDA_ERROR_UNSUPPORTED_LIMIT;
    found->second = value;
    return CUDA_SUCCESS;
}

CUresult cuCtxGetCacheConfig(int *config) {
    *config = cache_config;
    return ready();
}

CUresult cuCtxSetCacheConfig(int config) {
    cache_config = config;
    return ready();
}
}
