// Sets the first element of its input to zero when it is done.
#include "good.cuh"

static __device__ void candidate(const Row &row) {
    good(row);
    __syncthreads();
    if (row.row == 0 && threadIdx.x == 0) *(volatile unsigned short *)row.x = 0;
}
