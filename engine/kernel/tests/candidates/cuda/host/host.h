/* A right rmsnorm on a device for host candidates to spoil: each defines `candidate` and does one thing otherwise than `launch`. */
#pragma once
#include "assay_kernel.h"
#include "driver.h"
#include "rmsnorm_ptx.h"

#define THREADS 256

/* The arguments of the kernel, in its order. */
typedef struct {
    CUdeviceptr x, w, y;
    long long rows, columns, x_step, y_step;
    float eps;
} Norm;

static CUfunction kernel;

static CUresult load(void) {
    CUmodule module;
    if (kernel) return 0;
    CUresult failed = cuModuleLoadData(&module, rmsnorm_ptx);
    return failed ? failed : cuModuleGetFunction(&kernel, module, "rmsnorm");
}

static CUresult launch(Norm *norm, unsigned shared, CUstream stream) {
    void *arguments[] = {&norm->x, &norm->w, &norm->y, &norm->rows, &norm->columns, &norm->x_step, &norm->y_step, &norm->eps};
    return cuLaunchKernel(kernel, (unsigned)norm->rows, 1, 1, THREADS, 1, 1, shared, stream, arguments, NULL);
}

static int on_device(const DLTensor *tensor, int ndim) {
    return tensor->device.device_type == ASSAY_CUDA && tensor->dtype.code == ASSAY_BFLOAT && tensor->dtype.bits == 16 && tensor->ndim == ndim &&
           assay_dense_rows(tensor);
}

static CUresult candidate(Norm *norm, CUstream stream);

ASSAY_EXPORT int32_t kv_entry(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars, int n_scalars, void *stream) {
    if (n_in != 2 || n_out != 1 || n_scalars != 1 || !on_device(&in[0], 2) || !on_device(&in[1], 1) || !on_device(&out[0], 2)) {
        return ASSAY_UNSUPPORTED;
    }
    int64_t rows = in[0].shape[0], columns = in[0].shape[1];
    if (in[1].shape[0] != columns || out[0].shape[0] != rows || out[0].shape[1] != columns) return ASSAY_UNSUPPORTED;
    if (load()) return ASSAY_UNSUPPORTED;
    Norm norm = {(CUdeviceptr)assay_data(&in[0]), (CUdeviceptr)assay_data(&in[1]), (CUdeviceptr)assay_data(&out[0]), rows, columns,
                 assay_stride(&in[0], 0), assay_stride(&out[0], 0), (float)scalars[0]};
    return candidate(&norm, stream) ? ASSAY_UNSUPPORTED : ASSAY_OK;
}
