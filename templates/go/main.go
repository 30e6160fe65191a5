package main

import (
	"log/slog"

	"example.com/{{name}}/sandstep"
)

// Order is what comes in.
type Order struct {
	ID     string `json:"id"`
	Amount int    `json:"amount"`
}

// Receipt is what goes out.
type Receipt struct {
	Order   string `json:"order"`
	Charged int    `json:"charged"`
}

const cardLimit = 100_000

func charge(order Order) (Receipt, error) {
	if order.Amount > cardLimit {
		return Receipt{}, sandstep.Errorf("CardDeclined", "%d is over the card's limit", order.Amount)
	}
	slog.Info("charging", "amount", order.Amount)
	return Receipt{Order: order.ID, Charged: order.Amount}, nil
}

func main() { sandstep.Start(charge) }
