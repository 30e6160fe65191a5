// From readings as they came to one series for each sensor: in degrees Celsius, in order of time, without what no
// thermometer can have meant.
package main

import (
	"fmt"
	"log/slog"
	"math"
	"sort"

	"example.com/clean-readings/sandstep"
)

// What the sensors can measure, in degrees Celsius.
const (
	coldest = -40
	hottest = 60
)

// More than air changes from one reading to the next and back again.
const spike = 10

type reading struct {
	Line        int     `json:"line"`
	Minute      int     `json:"minute"`
	Sensor      string  `json:"sensor"`
	Temperature float64 `json:"temperature"`
	Unit        string  `json:"unit"`
}

type dropped struct {
	Line   int    `json:"line"`
	Reason string `json:"reason"`
}

type parsed struct {
	Title    string    `json:"title"`
	Readings []reading `json:"readings"`
	Dropped  []dropped `json:"dropped"`
}

type point struct {
	Minute  int     `json:"minute"`
	Celsius float64 `json:"celsius"`
	line    int
}

type sensor struct {
	Name   string  `json:"name"`
	Points []point `json:"points"`
}

type cleaned struct {
	Title   string    `json:"title"`
	Sensors []sensor  `json:"sensors"`
	Dropped []dropped `json:"dropped"`
}

func clean(parsed parsed) (cleaned, error) {
	result := cleaned{Title: parsed.Title, Sensors: []sensor{}, Dropped: parsed.Dropped}
	drop := func(line int, format string, values ...any) {
		result.Dropped = append(result.Dropped, dropped{line, fmt.Sprintf(format, values...)})
	}
	series := map[string][]point{}
	for _, reading := range parsed.Readings {
		celsius := reading.Temperature
		if reading.Unit == "F" {
			celsius = (celsius - 32) * 5 / 9
		}
		celsius = math.Round(celsius*100) / 100
		if celsius < coldest || celsius > hottest {
			drop(reading.Line, "%.1f °C is outside of what %s can measure", celsius, reading.Sensor)
			continue
		}
		series[reading.Sensor] = append(series[reading.Sensor], point{reading.Minute, celsius, reading.Line})
	}
	for name, points := range series {
		sort.SliceStable(points, func(a, b int) bool { return points[a].Minute < points[b].Minute })
		result.Sensors = append(result.Sensors, sensor{name, withoutSpikes(points, drop)})
		sandstep.Heartbeat()
	}
	if len(result.Sensors) == 0 {
		return result, sandstep.Errorf("NoReadings", "none of %d lines can be used", len(result.Dropped))
	}
	sort.Slice(result.Sensors, func(a, b int) bool { return result.Sensors[a].Name < result.Sensors[b].Name })
	sort.Slice(result.Dropped, func(a, b int) bool { return result.Dropped[a].Line < result.Dropped[b].Line })
	slog.Info("cleaned", "sensors", len(result.Sensors), "dropped", len(result.Dropped))
	return result, nil
}

func withoutSpikes(points []point, drop func(line int, format string, values ...any)) []point {
	kept := []point{}
	for index, here := range points {
		if len(kept) > 0 && index < len(points)-1 {
			// What was dropped already is nothing to compare with.
			before, after := here.Celsius-kept[len(kept)-1].Celsius, here.Celsius-points[index+1].Celsius
			if math.Abs(before) > spike && math.Abs(after) > spike && before*after > 0 {
				drop(here.line, "%.1f °C is a spike", here.Celsius)
				continue
			}
		}
		kept = append(kept, here)
	}
	return kept
}

func main() { sandstep.Start(clean) }
