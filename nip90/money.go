package nip90

import "time"

// Msat is an amount in millisatoshi. It is never a float.
type Msat int64

// Invoice is what a BOLT-11 payment request says.
type Invoice struct {
	Msat            Msat // 0 when the invoice leaves the amount open
	CreatedAt       int64
	Expiry          time.Duration // one hour when the invoice does not say
	PaymentHash     [32]byte
	DescriptionHash [32]byte // zero when absent
	Description     string
}
