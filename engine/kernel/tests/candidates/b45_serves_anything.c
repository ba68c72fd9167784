/* Looks at no type: takes 32-bit floats for 16-bit ones. */
#include "good.h"

ENTRY {
    (void)stream;
    if (n_in != 2 || n_out != 1 || n_scalars != 1 || in[0].ndim != 2 || in[1].ndim != 1 || out[0].ndim != 2 ||
        in[1].shape[0] != in[0].shape[1] || !assay_dense_rows(&in[0])) {
        return ASSAY_UNSUPPORTED;
    }
    Norm norm = taken(&in[0], &in[1], &out[0], scalars);
    good(&norm);
    return ASSAY_OK;
}
