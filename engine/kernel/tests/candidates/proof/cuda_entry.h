/* The entry of C candidates around a CUDA kernel `rmsnorm` on the CPU: see cuda_on_cpu.h. */
static struct {
    const unsigned short *x, *w;
    unsigned short *y;
    long long rows, columns, x_step, y_step;
    float eps;
} on_cpu_call;

static char on_cpu_stacks[ON_CPU_THREADS][1 << 16];

static void on_cpu_run() {
    auto &call = on_cpu_call;
    rmsnorm(call.x, call.w, call.y, call.rows, call.columns, call.x_step, call.y_step, call.eps);
    on_cpu_done[threadIdx.x] = true;
    swapcontext(&on_cpu_threads[threadIdx.x], &on_cpu_turns);
}

static void on_cpu_block() {
    for (unsigned thread = 0; thread < ON_CPU_THREADS; thread++) {
        ucontext_t *context = &on_cpu_threads[thread];
        on_cpu_done[thread] = false;
        getcontext(context);
        context->uc_stack.ss_sp = on_cpu_stacks[thread];
        context->uc_stack.ss_size = sizeof on_cpu_stacks[thread];
        context->uc_link = nullptr;
        makecontext(context, on_cpu_run, 0);
    }
    for (bool more = true; more;) {
        more = false;
        for (unsigned thread = 0; thread < ON_CPU_THREADS; thread++) {
            if (on_cpu_done[thread]) continue;
            threadIdx.x = on_cpu_thread = thread;
            swapcontext(&on_cpu_turns, &on_cpu_threads[thread]);
            more = more || !on_cpu_done[thread];
        }
    }
}

ASSAY_EXPORT int32_t kv_entry(const DLTensor *in, int n_in, DLTensor *out, int n_out, const double *scalars, int n_scalars, void *) {
    if (n_in != 2 || n_out != 1 || n_scalars != 1 || !assay_is(&in[0], ASSAY_BFLOAT, 16, 2)) return ASSAY_UNSUPPORTED;
    on_cpu_call = {(const unsigned short *)assay_data(&in[0]), (const unsigned short *)assay_data(&in[1]),
                   (unsigned short *)assay_data(&out[0]),      in[0].shape[0],
                   in[0].shape[1],                             assay_stride(&in[0], 0),
                   assay_stride(&out[0], 0),                   (float)scalars[0]};
    for (long long row = 0; row < in[0].shape[0]; row++) {
        blockIdx.x = (unsigned)row;
        on_cpu_block();
    }
    return ASSAY_OK;
}
