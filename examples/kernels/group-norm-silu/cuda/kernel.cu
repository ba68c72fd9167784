// Group norm over 32 groups of channels, then v * sigmoid(v), in bfloat16. A block for each group and image; mean and variance in two
// passes and in fp32, rounded once at the end.
// Launched with a grid of [32, images] and blocks of 256 threads. Steps are elements; y may be x.
#define THREADS 256
#define GROUPS 32

static __device__ float from_bf16(unsigned short half) { return __uint_as_float((unsigned)half << 16); }

static __device__ unsigned short to_bf16(float value) {
    unsigned bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (unsigned short)((bits >> 16) | 0x40u);
    return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

// Every thread must come here.
static __device__ float of_block(float sum) {
    __shared__ float part[THREADS];
    part[threadIdx.x] = sum;
    __syncthreads();
    for (unsigned width = THREADS / 2; width > 0; width /= 2) {
        if (threadIdx.x < width) part[threadIdx.x] += part[threadIdx.x + width];
        __syncthreads();
    }
    sum = part[0];
    __syncthreads();
    return sum;
}

// The exponential of a number that is not above zero: it cannot overflow.
static __device__ float silu(float v) {
    float e = expf(-fabsf(v));
    return v * ((v < 0.0f ? e : 1.0f) / (1.0f + e));
}

extern "C" __global__ void __launch_bounds__(THREADS)
    group_norm_silu(const unsigned short *x, const unsigned short *w, const unsigned short *b, unsigned short *y, long long channels,
                    long long pixels, long long x_image, long long x_row, long long y_image, long long y_row, float eps) {
    long long own = channels / GROUPS, first = blockIdx.x * own, n = own * pixels;
    x += blockIdx.y * x_image + first * x_row, y += blockIdx.y * y_image + first * y_row;
    float sum = 0.0f, squares = 0.0f;
    for (long long at = threadIdx.x; at < n; at += THREADS) sum += from_bf16(x[at / pixels * x_row + at % pixels]);
    float mean = of_block(sum) / (float)n;
    for (long long at = threadIdx.x; at < n; at += THREADS) {
        float away = from_bf16(x[at / pixels * x_row + at % pixels]) - mean;
        squares += away * away;
    }
    float scale = 1.0f / sqrtf(of_block(squares) / (float)n + eps);
    for (long long at = threadIdx.x; at < n; at += THREADS) {
        long long c = at / pixels, s = at % pixels;
        float normed = (from_bf16(x[c * x_row + s]) - mean) * scale;
        y[c * y_row + s] = to_bf16(silu(normed * from_bf16(w[first + c]) + from_bf16(b[first + c])));
    }
}
