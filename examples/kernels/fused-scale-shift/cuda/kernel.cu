// y = x * (1 + scale) + shift in bfloat16, in fp32, rounded once; a scale and a shift for each batch and channel.
// Launched with a grid of [tokens, batches] and blocks of 256 threads. Steps are elements; y may be x.
#define THREADS 256

static __device__ float from_bf16(unsigned short half) { return __uint_as_float((unsigned)half << 16); }

static __device__ unsigned short to_bf16(float value) {
    unsigned bits = __float_as_uint(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return (unsigned short)((bits >> 16) | 0x40u);
    return (unsigned short)((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

extern "C" __global__ void __launch_bounds__(THREADS)
    scale_shift(const unsigned short *x, const unsigned short *scale, const unsigned short *shift, unsigned short *y,
                long long channels, long long x_batch, long long x_token, long long y_batch, long long y_token) {
    long long batch = blockIdx.y, token = blockIdx.x;
    x += batch * x_batch + token * x_token, y += batch * y_batch + token * y_token;
    scale += batch * channels, shift += batch * channels;
    for (long long c = threadIdx.x; c < channels; c += THREADS) {
        y[c] = to_bf16(from_bf16(x[c]) * (1.0f + from_bf16(scale[c])) + from_bf16(shift[c]));
    }
}
