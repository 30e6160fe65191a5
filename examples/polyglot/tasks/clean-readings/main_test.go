package main

import (
	"reflect"
	"testing"
)

func TestReadingsBecomeOrderedSeriesInCelsius(t *testing.T) {
	got, err := clean(parsed{Readings: []reading{
		{Line: 2, Minute: 20, Sensor: "north", Temperature: 50, Unit: "F"},
		{Line: 3, Minute: 10, Sensor: "north", Temperature: 9.5, Unit: "C"},
		{Line: 4, Minute: 10, Sensor: "east", Temperature: 900, Unit: "C"},
	}})
	if err != nil || len(got.Sensors) != 1 || len(got.Dropped) != 1 || got.Dropped[0].Line != 4 {
		t.Fatal(got, err)
	}
	if wanted := []point{{10, 9.5, 3}, {20, 10, 2}}; !reflect.DeepEqual(got.Sensors[0].Points, wanted) {
		t.Fatal(got.Sensors[0].Points)
	}
}

func TestASpikeGoesAndAStepStays(t *testing.T) {
	drop := func(int, string, ...any) {}
	points := withoutSpikes([]point{{Celsius: 5}, {Celsius: 25}, {Celsius: 6}, {Celsius: 20}, {Celsius: 21}}, drop)
	if len(points) != 4 || points[1].Celsius != 6 {
		t.Fatal(points)
	}
}

func TestNothingLeftIsAnErrorWithAName(t *testing.T) {
	if _, err := clean(parsed{}); err == nil || err.Error() != "NoReadings: none of 0 lines can be used" {
		t.Fatal(err)
	}
}
