/* As C04 over the run-time library, which remembers the error that nobody asks for. */
#include "host.h"

typedef struct {
    unsigned x, y, z;
} Sizes;

int cudaLaunchKernel(const void *function, Sizes grid, Sizes block, void **arguments, size_t shared, CUstream stream);

static CUresult candidate(Norm *norm, CUstream stream) {
    Sizes grid = {(unsigned)norm->rows, 1, 1}, block = {THREADS, 1, 1};
    void *arguments[] = {&norm->x, &norm->w, &norm->y, &norm->rows, &norm->columns, &norm->x_step, &norm->y_step, &norm->eps};
    (void)cudaLaunchKernel(kernel, grid, block, arguments, 300 << 10, stream);
    return launch(norm, 0, stream);
}
