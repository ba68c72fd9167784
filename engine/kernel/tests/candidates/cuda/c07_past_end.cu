// Writes one element behind the output.
#include "good.cuh"

static __device__ void candidate(const Row &row) {
    good(row);
    if (row.row + 1 == row.rows && threadIdx.x == 0) *(volatile unsigned short *)(row.y + row.columns) = 0;
}
