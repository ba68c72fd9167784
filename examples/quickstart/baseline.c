/* The plain version: the formula, written down. Slow is fine here, wrong is not. */
#include "rmsnorm.h"

#include <math.h>
#include <stddef.h>

void rmsnorm(const float *x, const float *w, float *out, int rows, int cols, float eps) {
    for (int i = 0; i < rows; i++) {
        const float *row = x + (size_t)i * (size_t)cols;
        float *result = out + (size_t)i * (size_t)cols;
        double sum = 0.0;
        for (int j = 0; j < cols; j++) {
            sum += (double)row[j] * (double)row[j];
        }
        float rms = (float)sqrt(sum / cols + (double)eps);
        for (int j = 0; j < cols; j++) {
            result[j] = row[j] * w[j] / rms;
        }
    }
}
