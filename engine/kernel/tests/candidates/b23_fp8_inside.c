/* Rounds normalised values to 8-bit floats (E4M3) before they are weighted. */
#include "good.h"

static float to_e4m3(float value) {
    float size = fabsf(value);
    if (!(size <= 448.0f)) return value != value ? value : copysignf(448.0f, value);
    if (size < 0.015625f) return rintf(value * 512.0f) / 512.0f;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = (bits + 0x7ffffu + ((bits >> 20) & 1u)) & ~0xfffffu;
    memcpy(&value, &bits, sizeof bits);
    return value;
}

ENTRY {
    TAKE(norm);
    for (int64_t row = 0; row < norm.rows; row++) {
        const uint16_t *x = norm.x + row * norm.x_step;
        uint16_t *y = norm.y + row * norm.y_step;
        float scale = row_scale(square_sum(x, norm.columns), norm.columns, norm.eps);
        for (int64_t c = 0; c < norm.columns; c++) {
            y[c] = assay_to_bf16(to_e4m3(assay_from_bf16(x[c]) * scale) * assay_from_bf16(norm.w[c]));
        }
    }
    return ASSAY_OK;
}
