// Queries and keys in bfloat16: RMS norm over each head, then rotary position embedding, rounded once. Element i turns with element
// i + D/2; a row of the table holds D/2 cosines, then D/2 sines. A position outside the table turns nothing and is not written.
// Launched with a grid of [tokens, heads of queries + heads of keys] and blocks of 128 threads. Steps are elements from token to
// token and from head to head; each output may be its input.
#define THREADS 128

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

struct Heads {
    const unsigned short *x, *weight;
    unsigned short *y;
};

extern "C" __global__ void __launch_bounds__(THREADS)
    qk_norm_rope(const unsigned short *q, const unsigned short *k, const unsigned short *q_weight, const unsigned short *k_weight,
                 const float *cos_sin, const long long *positions, unsigned short *q_out, unsigned short *k_out, long long q_heads,
                 long long width, long long known, long long q_token, long long q_head, long long k_token, long long k_head,
                 long long q_out_token, long long q_out_head, long long k_out_token, long long k_out_head, float eps) {
    long long token = blockIdx.x, head = blockIdx.y, position = positions[token], half = width / 2;
    if (position < 0 || position >= known) return;
    Heads own;
    if (head < q_heads) {
        own = Heads{q + token * q_token + head * q_head, q_weight, q_out + token * q_out_token + head * q_out_head};
    } else {
        head -= q_heads;
        own = Heads{k + token * k_token + head * k_head, k_weight, k_out + token * k_out_token + head * k_out_head};
    }
    float sum = 0.0f;
    for (long long at = threadIdx.x; at < width; at += THREADS) sum += from_bf16(own.x[at]) * from_bf16(own.x[at]);
    float scale = 1.0f / sqrtf(of_block(sum) / (float)width + eps);
    const float *turns = cos_sin + position * width;
    for (long long at = threadIdx.x; at < half; at += THREADS) {
        float a = from_bf16(own.x[at]) * scale * from_bf16(own.weight[at]);
        float b = from_bf16(own.x[at + half]) * scale * from_bf16(own.weight[at + half]);
        own.y[at] = to_bf16(a * turns[at] - b * turns[at + half]);
        own.y[at + half] = to_bf16(b * turns[at] + a * turns[at + half]);
    }
}
