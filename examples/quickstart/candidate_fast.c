/* An honest faster version. Two changes, both valid for every shape:
 *
 * - The sum of squares is kept in 16 independent lanes. One accumulator makes each addition wait for the one before;
 *   lanes do not, and the compiler may put several into one vector register without breaking the rules of floating
 *   point, because the order of additions is written down here. Shorter chains also lose fewer digits.
 * - One division per row instead of one per element. */
#include "rmsnorm.h"

#include <math.h>
#include <stddef.h>

enum { LANES = 16 };

static float sum_of_squares(const float *row, int cols) {
    float lane[LANES] = {0};
    int j = 0;
    for (; j + LANES <= cols; j += LANES) {
        for (int k = 0; k < LANES; k++) {
            lane[k] += row[j + k] * row[j + k];
        }
    }
    for (int k = 0; j < cols; j++, k++) {
        lane[k] += row[j] * row[j];
    }
    for (int width = LANES / 2; width > 0; width /= 2) {
        for (int k = 0; k < width; k++) {
            lane[k] += lane[k + width];
        }
    }
    return lane[0];
}

void rmsnorm(const float *x, const float *w, float *out, int rows, int cols, float eps) {
    for (int i = 0; i < rows; i++) {
        const float *restrict row = x + (size_t)i * (size_t)cols;
        const float *restrict weight = w;
        float *restrict result = out + (size_t)i * (size_t)cols;
        float scale = 1.0f / sqrtf(sum_of_squares(row, cols) / (float)cols + eps);
        int j = 0;
        for (; j + LANES <= cols; j += LANES) {
            for (int k = 0; k < LANES; k++) {
                result[j + k] = row[j + k] * scale * weight[j + k];
            }
        }
        for (; j < cols; j++) {
            result[j] = row[j] * scale * weight[j];
        }
    }
}
