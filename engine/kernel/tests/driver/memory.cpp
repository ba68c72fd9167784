/* Memory of the device: one reservation, in which allocations stand between pages that nobody may touch, so that a wild address faults. */
#include "state.h"
#include <cstring>
#include <map>
#include <sys/mman.h>

namespace sim {

constexpr size_t PAGE = 4096, ROOM = size_t(1) << 38;

struct Pool {
    std::mutex lock;
    std::map<CUdeviceptr, size_t> live;
    CUdeviceptr next = 0, end = 0;
    size_t used = 0;
    /* Of memory that was taken in the order of a stream. */
    size_t async_used = 0, async_high = 0;
    std::map<CUdeviceptr, size_t> async;
};

static Pool &pool() {
    static Pool all;
    return all;
}

size_t memory_total() {
    std::string given = setting("memory_mib");
    return (given.empty() ? size_t(256) : std::stoul(given)) << 20;
}

static CUdeviceptr take(size_t bytes) {
    Pool &all = pool();
    std::lock_guard<std::mutex> hold(all.lock);
    size_t room = (bytes + PAGE - 1) / PAGE * PAGE;
    if (!all.next) {
        /* Where no memory of the host is. */
        void *hint = reinterpret_cast<void *>(0x300000000000);
        void *first = mmap(hint, ROOM, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (first == MAP_FAILED) return 0;
        all.next = reinterpret_cast<CUdeviceptr>(first) + PAGE;
        all.end = all.next + ROOM - PAGE;
    }
    if (all.used + room > memory_total() || all.next + room + PAGE > all.end) return 0;
    CUdeviceptr at = all.next;
    mprotect(reinterpret_cast<void *>(at), room, PROT_READ | PROT_WRITE);
    memset(reinterpret_cast<void *>(at), 0xcd, room);
    all.next += room + PAGE;
    all.used += room;
    all.live[at] = room;
    return at;
}

static bool give(CUdeviceptr at) {
    Pool &all = pool();
    std::lock_guard<std::mutex> hold(all.lock);
    auto found = all.live.find(at);
    if (found == all.live.end()) return false;
    mmap(reinterpret_cast<void *>(at), found->second, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0);
    all.used -= found->second;
    all.live.erase(found);
    return true;
}

bool owns(CUdeviceptr address, size_t bytes) {
    Pool &all = pool();
    std::lock_guard<std::mutex> hold(all.lock);
    auto after = all.live.upper_bound(address);
    if (after == all.live.begin()) return false;
    --after;
    return address + bytes <= after->first + after->second;
}

/* Memory of the host that stays where it is: first byte and length. */
static std::map<uintptr_t, size_t> &pinned() {
    static std::map<uintptr_t, size_t> all;
    return all;
}

static bool is_pinned(const void *from, size_t bytes) {
    std::lock_guard<std::mutex> hold(pool().lock);
    uintptr_t first = reinterpret_cast<uintptr_t>(from);
    auto after = pinned().upper_bound(first);
    if (after == pinned().begin()) return false;
    --after;
    return first + bytes <= after->first + after->second;
}

static void *at(CUdeviceptr address) { return reinterpret_cast<void *>(address); }

static Work copy(void *to, const void *from, size_t bytes) {
    return [=] { memcpy(to, from, bytes); };
}

} // namespace sim

using namespace sim;

extern "C" {

CUresult cuMemAlloc(CUdeviceptr *address, size_t bytes) {
    if (int error = ready()) return error;
    if (int error = unsafe_in_capture()) return error;
    if (bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    *address = take(bytes);
    return *address ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

/* Waits until nothing can use it any more, as the real one does. */
CUresult cuMemFree(CUdeviceptr address) {
    if (int error = ready()) return error;
    if (int error = unsafe_in_capture()) return error;
    drain_all();
    if (sticky) return sticky;
    return give(address) ? CUDA_SUCCESS : CUDA_ERROR_INVALID_VALUE;
}

CUresult cuMemGetInfo(size_t *free, size_t *total) {
    if (int error = ready()) return error;
    std::lock_guard<std::mutex> hold(pool().lock);
    *total = memory_total();
    *free = *total - pool().used;
    return CUDA_SUCCESS;
}

CUresult cuDeviceGetDefaultMemPool(CUmemoryPool *found, CUdevice) {
    *found = reinterpret_cast<CUmemoryPool>(&pool());
    return CUDA_SUCCESS;
}

CUresult cuMemAllocAsync(CUdeviceptr *address, size_t bytes, CUstream) {
    if (int error = ready()) return error;
    *address = take(bytes);
    if (!*address) return CUDA_ERROR_OUT_OF_MEMORY;
    Pool &all = pool();
    std::lock_guard<std::mutex> hold(all.lock);
    all.async[*address] = bytes;
    all.async_used += bytes;
    all.async_high = std::max(all.async_high, all.async_used);
    return CUDA_SUCCESS;
}

CUresult cuMemFreeAsync(CUdeviceptr address, CUstream stream) {
    if (int error = ready()) return error;
    return enqueue(stream, [=] {
        Pool &all = pool();
        {
            std::lock_guard<std::mutex> hold(all.lock);
            all.async_used -= all.async[address];
            all.async.erase(address);
        }
        give(address);
    });
}

CUresult cuMemPoolGetAttribute(CUmemoryPool, int attribute, void *value) {
    if (int error = ready()) return error;
    Pool &all = pool();
    std::lock_guard<std::mutex> hold(all.lock);
    bool high = attribute == CU_MEMPOOL_ATTR_USED_MEM_HIGH || attribute == CU_MEMPOOL_ATTR_RESERVED_MEM_HIGH;
    *static_cast<unsigned long long *>(value) = high ? all.async_high : all.async_used;
    return CUDA_SUCCESS;
}

CUresult cuMemPoolSetAttribute(CUmemoryPool, int attribute, void *value) {
    if (int error = ready()) return error;
    Pool &all = pool();
    std::lock_guard<std::mutex> hold(all.lock);
    /* A mark of the most can only be put back. */
    if (attribute != CU_MEMPOOL_ATTR_USED_MEM_HIGH || *static_cast<unsigned long long *>(value) != 0) return CUDA_ERROR_INVALID_VALUE;
    all.async_high = all.async_used;
    return CUDA_SUCCESS;
}

CUresult cuMemHostRegister(void *first, size_t bytes, unsigned) {
    if (int error = ready()) return error;
    if (int error = unsafe_in_capture()) return error;
    if (!first || bytes == 0) return CUDA_ERROR_INVALID_VALUE;
    if (is_pinned(first, 1)) return CUDA_ERROR_HOST_MEMORY_ALREADY_REGISTERED;
    std::lock_guard<std::mutex> hold(pool().lock);
    pinned()[reinterpret_cast<uintptr_t>(first)] = bytes;
    return CUDA_SUCCESS;
}

CUresult cuMemHostUnregister(void *first) {
    if (int error = ready()) return error;
    if (int error = unsafe_in_capture()) return error;
    drain_all();
    std::lock_guard<std::mutex> hold(pool().lock);
    return pinned().erase(reinterpret_cast<uintptr_t>(first)) ? CUDA_SUCCESS : CUDA_ERROR_HOST_MEMORY_NOT_REGISTERED;
}

CUresult cuMemcpyHtoDAsync(CUdeviceptr to, const void *from, size_t bytes, CUstream stream) {
    if (int error = ready()) return error;
    if (!owns(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
    /* Memory that stays is read when the stream comes to it. */
    if (is_pinned(from, bytes)) return enqueue(stream, copy(at(to), from, bytes));
    /* Pageable memory is taken before the call returns. */
    const char *first = static_cast<const char *>(from);
    auto taken = std::make_shared<std::vector<char>>(first, first + bytes);
    return enqueue(stream, [=] { memcpy(at(to), taken->data(), bytes); });
}

CUresult cuMemcpyDtoHAsync(void *to, CUdeviceptr from, size_t bytes, CUstream stream) {
    if (int error = ready()) return error;
    if (!owns(from, bytes)) return CUDA_ERROR_INVALID_VALUE;
    if (int error = enqueue(stream, copy(to, at(from), bytes))) return error;
    /* To pageable memory: there when the call returns. */
    if (!is_pinned(to, bytes) && !stream_of(stream)->capture) stream_of(stream)->drain();
    return sticky;
}

CUresult cuMemcpyDtoDAsync(CUdeviceptr to, CUdeviceptr from, size_t bytes, CUstream stream) {
    if (int error = ready()) return error;
    if (!owns(to, bytes) || !owns(from, bytes)) return CUDA_ERROR_INVALID_VALUE;
    return enqueue(stream, copy(at(to), at(from), bytes));
}

CUresult cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream) {
    if (int error = ready()) return error;
    if (!owns(to, bytes)) return CUDA_ERROR_INVALID_VALUE;
    return enqueue(stream, [=] { memset(at(to), value, bytes); });
}

static CUresult at_once(CUresult error) {
    if (error) return error;
    stream_of(nullptr)->drain();
    return sticky;
}

CUresult cuMemcpyHtoD(CUdeviceptr to, const void *from, size_t bytes) {
    if (int error = unsafe_in_capture()) return error;
    return at_once(cuMemcpyHtoDAsync(to, from, bytes, nullptr));
}

CUresult cuMemcpyDtoH(void *to, CUdeviceptr from, size_t bytes) {
    if (int error = unsafe_in_capture()) return error;
    return at_once(cuMemcpyDtoHAsync(to, from, bytes, nullptr));
}

CUresult cuMemsetD8(CUdeviceptr to, unsigned char value, size_t bytes) {
    if (int error = unsafe_in_capture()) return error;
    return at_once(cuMemsetD8Async(to, value, bytes, nullptr));
}
}
