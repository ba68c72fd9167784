/* Images, kernels, launches. An image is known by its bytes: the kernel stands in a library named after their hash. */
#include "state.h"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <dlfcn.h>
#include <elf.h>
#include <sys/socket.h>
#include <unistd.h>

struct CUmod_st {
    void *library;
    std::string text;
};

struct CUfunc_st {
    SimBind *bind;
    unsigned threads = sim::MOST_THREADS;
    /* What the image declares for a block and for a thread. */
    unsigned declared, local;
    /* Dynamic shared memory that a launch may ask for; what is declared counts as well. */
    unsigned shared = sim::STATIC_SHARED - declared;
};

namespace sim {

/* FNV-1a with 64 bits (draft-eastlake-fnv). */
static unsigned long long hash(const std::string &bytes) {
    unsigned long long sum = 0xcbf29ce484222325u;
    for (unsigned char byte : bytes) sum = (sum ^ byte) * 0x100000001b3u;
    return sum;
}

static std::string image_bytes(const void *image) {
    const char *first = static_cast<const char *>(image);
    if (memcmp(first, ELFMAG, SELFMAG) != 0) return first;
    Elf64_Ehdr header;
    memcpy(&header, first, sizeof header);
    size_t sections = header.e_shoff + size_t(header.e_shnum) * header.e_shentsize;
    size_t segments = header.e_phoff + size_t(header.e_phnum) * header.e_phentsize;
    return std::string(first, std::max(sections, segments));
}

/* The architecture that a cubin is for, such as 90; its place in the flags moved with version 8 of the ABI. */
static unsigned cubin_arch(const std::string &image) {
    Elf64_Ehdr header;
    memcpy(&header, image.data(), sizeof header);
    bool newer = header.e_ident[EI_ABIVERSION] >= 8;
    return (newer ? header.e_flags >> 8 : header.e_flags) & 0xff;
}

static unsigned number_behind(const std::string &text, const char *word) {
    size_t at = text.find(word);
    return at == std::string::npos ? 0 : static_cast<unsigned>(atoi(text.c_str() + at + strlen(word)));
}

/* Bytes of the first array in a space, such as `.shared .align 4 .b8 part[1024];`. */
static unsigned declared(const std::string &text, const char *space) {
    size_t at = text.find(space);
    return at == std::string::npos ? 0 : number_behind(text.substr(at, text.find(';', at) - at), "[");
}

struct Log {
    char *text = nullptr;
    size_t room = 0;
    void **told = nullptr;

    void say(const std::string &line) {
        if (!text || !room) return;
        snprintf(text, room, "%s", line.c_str());
        if (told) *told = reinterpret_cast<void *>(strlen(text));
    }
};

/* A kernel that does nothing is known without a library. */
static void nothing(const SimLaunch &, void **, std::function<void()> *run) {
    *run = [] {};
}

/* Shared memory of the device holds what was left there until the worker's own kernel fills it. */
static int left = -1;
static void unset(const SimLaunch &, void **, std::function<void()> *run) {
    *run = [] { left = 0xff; };
}

/* What a driver may do when its compiler is first needed: it looks for the folder of the user's cache, and asks the name service for it. */
static void begin_compiler() {
    static bool begun = false;
    if (begun) return;
    begun = true;
    int service = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (service >= 0) close(service);
}

static int load(CUmodule *module, const void *image, Log log) {
    if (int error = ready()) return error;
    if (int error = unsafe_in_capture()) return error;
    std::string bytes = image_bytes(image);
    begin_compiler();
    if (bytes.find(".entry assay_nothing()") != std::string::npos) {
        *module = new CUmod_st{nullptr, bytes};
        return CUDA_SUCCESS;
    }
    bool text = memcmp(bytes.data(), ELFMAG, std::min<size_t>(bytes.size(), SELFMAG)) != 0;
    unsigned own = MAJOR * 10 + MINOR;
    if (!text && cubin_arch(bytes) != own) return CUDA_ERROR_NO_BINARY_FOR_GPU;
    if (text && bytes.find(".version") == std::string::npos) {
        log.say("ptxas application ptx input, line 1; fatal   : Missing .version directive at start of file");
        return CUDA_ERROR_INVALID_PTX;
    }
    if (text && atof(bytes.c_str() + bytes.find(".version") + strlen(".version")) > 9.0) {
        log.say("ptxas application ptx input; fatal   : Unsupported .version; current version is '9.0'");
        return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
    }
    if (text && number_behind(bytes, ".target sm_") > own) {
        log.say("ptxas application ptx input; fatal   : SM version specified by .target is higher than default SM version assumed");
        return CUDA_ERROR_INVALID_PTX;
    }
    const char *folder = getenv("SIM_CUDA_KERNELS");
    char path[4096];
    snprintf(path, sizeof path, "%s/%016llx.so", folder ? folder : "", hash(bytes));
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        log.say(std::string("ptxas fatal   : the simulated driver has no kernel for this image: ") + dlerror());
        return CUDA_ERROR_INVALID_PTX;
    }
    *module = new CUmod_st{library, text ? bytes : ""};
    return CUDA_SUCCESS;
}

} // namespace sim

using namespace sim;

extern "C" {

CUresult cuModuleLoadData(CUmodule *module, const void *image) { return load(module, image, Log()); }

CUresult cuModuleLoadDataEx(CUmodule *module, const void *image, unsigned count, int *options, void **values) {
    Log log;
    for (unsigned at = 0; at < count; at++) {
        if (options[at] == CU_JIT_ERROR_LOG_BUFFER) log.text = static_cast<char *>(values[at]);
        if (options[at] == CU_JIT_ERROR_LOG_BUFFER_SIZE_BYTES) {
            log.room = reinterpret_cast<size_t>(values[at]);
            log.told = &values[at];
        }
    }
    return load(module, image, log);
}

CUresult cuModuleUnload(CUmodule module) {
    delete module;
    return ready();
}

CUresult cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name) {
    if (int error = ready()) return error;
    void *found = module->library ? dlsym(module->library, (std::string("sim_bind_") + name).c_str()) : nullptr;
    if (!module->library && !strcmp(name, "assay_nothing")) found = reinterpret_cast<void *>(nothing);
    if (!module->library && !strcmp(name, "assay_unset")) found = reinterpret_cast<void *>(unset);
    if (!found) return CUDA_ERROR_NOT_FOUND;
    unsigned threads = number_behind(module->text, ".maxntid ");
    *function = new CUfunc_st{reinterpret_cast<SimBind *>(found), threads ? threads : MOST_THREADS, declared(module->text, ".shared "),
                              declared(module->text, ".local ")};
    return CUDA_SUCCESS;
}

CUresult cuFuncGetAttribute(int *value, int attribute, CUfunction function) {
    if (int error = ready()) return error;
    switch (attribute) {
    case CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK: *value = static_cast<int>(function->threads); break;
    case CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES: *value = static_cast<int>(function->declared); break;
    case CU_FUNC_ATTRIBUTE_LOCAL_SIZE_BYTES: *value = static_cast<int>(function->local); break;
    case CU_FUNC_ATTRIBUTE_NUM_REGS: *value = 32; break;
    case CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES: *value = static_cast<int>(function->shared); break;
    default: *value = 0;
    }
    return CUDA_SUCCESS;
}

CUresult cuFuncSetAttribute(CUfunction function, int attribute, int value) {
    if (int error = ready()) return error;
    if (attribute != CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES || value < 0 ||
        static_cast<unsigned>(value) + function->declared > MOST_SHARED) {
        return CUDA_ERROR_INVALID_VALUE;
    }
    function->shared = static_cast<unsigned>(value);
    return CUDA_SUCCESS;
}

CUresult cuLaunchKernel(CUfunction function, unsigned grid_x, unsigned grid_y, unsigned grid_z, unsigned block_x, unsigned block_y,
                        unsigned block_z, unsigned shared, CUstream stream, void **params, void **) {
    if (int error = ready()) return error;
    if (!function) return CUDA_ERROR_INVALID_HANDLE;
    SimLaunch launch = {{grid_x, grid_y, grid_z}, {block_x, block_y, block_z}, shared, &left};
    for (int at = 0; at < 3; at++) {
        if (launch.grid[at] == 0 || launch.block[at] == 0) return CUDA_ERROR_INVALID_VALUE;
    }
    unsigned long long threads = 1ull * block_x * block_y * block_z;
    if (threads > function->threads || block_z > 64 || shared > function->shared) return CUDA_ERROR_INVALID_VALUE;
    stack_for(function->local);
    Work run;
    function->bind(launch, params, &run);
    return enqueue(stream, std::move(run));
}
}
