// Never ends.
#include "good.cuh"

static __device__ volatile int go;

static __device__ void candidate(const Row &row) {
    while (go == 0) {
    }
    good(row);
}
