package main

import (
	"errors"
	"testing"

	"example.com/{{name}}/sandstep"
)

func TestAnOrderIsCharged(t *testing.T) {
	receipt, err := charge(Order{ID: "A-1", Amount: 1250})
	if err != nil || receipt != (Receipt{Order: "A-1", Charged: 1250}) {
		t.Fatal(receipt, err)
	}
}

func TestALargeAmountIsDeclined(t *testing.T) {
	_, err := charge(Order{ID: "A-2", Amount: cardLimit + 1})
	var failure *sandstep.Error
	if !errors.As(err, &failure) || failure.Name != "CardDeclined" {
		t.Fatal(err)
	}
}
