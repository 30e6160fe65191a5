// Figures for each sensor: extremes, mean, standard deviation, and the trend in degrees an hour by least squares.

#include <math.h>

#include "sandstep/sandstep.h"

struct sums {
    long long count;
    double minimum, maximum;
    // Of the values, of the times in hours, and of their products.
    double y, yy, x, xx, xy;
};

static double rounded(double value) { return round(value * 100) / 100; }

static void figure(json_writer *output, const char *key, double value) {
    json_key(output, key);
    json_number(output, rounded(value));
}

static void add(struct sums *sums, double hours, double celsius) {
    if (sums->count == 0) sums->minimum = sums->maximum = celsius;
    sums->minimum = fmin(sums->minimum, celsius);
    sums->maximum = fmax(sums->maximum, celsius);
    sums->count++;
    sums->y += celsius;
    sums->yy += celsius * celsius;
    sums->x += hours;
    sums->xx += hours * hours;
    sums->xy += hours * celsius;
}

static void write_figures(json_writer *output, const char *name, const struct sums *sums) {
    double count = (double)sums->count;
    double spread = count * sums->xx - sums->x * sums->x;
    json_object(output);
    json_key(output, "sensor");
    json_string(output, name);
    json_key(output, "count");
    json_integer(output, sums->count);
    figure(output, "minimum", sums->minimum);
    figure(output, "maximum", sums->maximum);
    figure(output, "mean", sums->y / count);
    figure(output, "deviation", sqrt(fmax(0, sums->yy / count - pow(sums->y / count, 2))));
    // All readings at one moment have no trend.
    figure(output, "trend", spread > 0 ? (count * sums->xy - sums->x * sums->y) / spread : 0);
    json_end(output);
}

int sandstep_task(const json *input, json_writer *output) {
    const json *sensors;
    if (!need_array(input, "sensors", &sensors)) return SANDSTEP_FAILED;
    json_array(output);
    for (const json *sensor = sensors->first; sensor; sensor = sensor->next) {
        const char *name;
        const json *points;
        struct sums sums = {0};
        if (!need_string(sensor, "name", &name) || !need_array(sensor, "points", &points)) return SANDSTEP_FAILED;
        if (points->count == 0) return sandstep_fail("NoReadings", "sensor %s has none", name);
        for (const json *point = points->first; point; point = point->next) {
            double minute, celsius;
            if (!need_number(point, "minute", &minute) || !need_number(point, "celsius", &celsius)) return SANDSTEP_FAILED;
            add(&sums, minute / 60, celsius);
        }
        write_figures(output, name, &sums);
        sandstep_heartbeat();
    }
    json_end(output);
    sandstep_info("%zu sensors", sensors->count);
    return SANDSTEP_OK;
}
