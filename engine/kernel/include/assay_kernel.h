/* What a kernel in C or C++ is written against: tensors as DLPack 1.1 lays them out, the entry, and bfloat16.
 *
 * A kernel exports one function of the type `assay_entry` under the name that its task gives. The caller owns every tensor; the
 * kernel is done when it returns. It returns 0, ASSAY_UNSUPPORTED for a call that it does not serve, or ASSAY_NO_MEMORY. */
#ifndef ASSAY_KERNEL_H
#define ASSAY_KERNEL_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    int32_t device_type; /* ASSAY_CPU or ASSAY_CUDA */
    int32_t device_id;
} DLDevice;

typedef struct {
    uint8_t code; /* ASSAY_INT and so on */
    uint8_t bits;
    uint16_t lanes; /* 1 */
} DLDataType;

typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape;
    int64_t *strides; /* in elements; a null pointer stands for rows without gaps */
    uint64_t byte_offset;
} DLTensor;

enum { ASSAY_CPU = 1, ASSAY_CUDA = 2 };
enum { ASSAY_INT = 0, ASSAY_UINT = 1, ASSAY_FLOAT = 2, ASSAY_BFLOAT = 4, ASSAY_BOOL = 6, ASSAY_E4M3 = 10, ASSAY_E5M2 = 12 };
enum { ASSAY_OK = 0, ASSAY_NO_MEMORY = -12, ASSAY_UNSUPPORTED = -22 };

typedef int32_t assay_entry(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars, int n_scalars,
                            void *stream);

/* Marks the entry. Every other function should be `static`: a kernel may export nothing else. */
#ifdef __cplusplus
#define ASSAY_EXPORT extern "C" __attribute__((visibility("default")))
static_assert(sizeof(DLTensor) == 48, "DLPack 1.1 on a 64-bit machine");
#else
#define ASSAY_EXPORT __attribute__((visibility("default")))
_Static_assert(sizeof(DLTensor) == 48, "DLPack 1.1 on a 64-bit machine");
#endif

/* Whether the tensor lies on the CPU and has this type and this number of dimensions. */
static inline int assay_is(const DLTensor *tensor, int code, int bits, int ndim) {
    return tensor->device.device_type == ASSAY_CPU && tensor->dtype.code == code && tensor->dtype.bits == bits &&
           tensor->dtype.lanes == 1 && tensor->ndim == ndim;
}

/* Elements from one index of a dimension to the next. */
static inline int64_t assay_stride(const DLTensor *tensor, int dimension) {
    if (tensor->strides) return tensor->strides[dimension];
    int64_t step = 1;
    for (int at = tensor->ndim - 1; at > dimension; at--) step *= tensor->shape[at];
    return step;
}

/* Whether elements of the last dimension follow each other without a gap. */
static inline int assay_dense_rows(const DLTensor *tensor) {
    return tensor->ndim == 0 || assay_stride(tensor, tensor->ndim - 1) == 1;
}

/* Whether all elements follow each other without a gap. */
static inline int assay_dense(const DLTensor *tensor) {
    int64_t step = 1;
    for (int at = tensor->ndim - 1; at >= 0; at--) {
        if (assay_stride(tensor, at) != step) return 0;
        step *= tensor->shape[at];
    }
    return 1;
}

/* The first element. */
static inline void *assay_data(const DLTensor *tensor) { return (char *)tensor->data + tensor->byte_offset; }

/* Exact. */
static inline float assay_from_bf16(uint16_t half) {
    uint32_t bits = (uint32_t)half << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To the nearest, ties to even; NaN stays NaN. Written without branches so that loops of it become vectors. */
static inline uint16_t assay_to_bf16(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    uint32_t nearest = (bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16;
    uint32_t quiet = (bits >> 16) | 0x40u;
    return (uint16_t)((bits & 0x7fffffffu) > 0x7f800000u ? quiet : nearest);
}

#endif
