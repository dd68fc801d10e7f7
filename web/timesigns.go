package web

import (
	"dvmrelay/index"
	"dvmrelay/nip90"
)

// dull sorts what tells little behind what tells much.
func dull(e *index.Entry) int {
	switch {
	case e.Role == nip90.RoleFeedback.String() && e.Status == "processing":
		return 2
	case e.Role == nip90.RoleReport.String():
		return 1
	}
	return 0
}

// signOf is an event as a sign, its class, and a few words.
func signOf(e *index.Entry) (sign, class, text string) {
	amount := ""
	if e.AmountMsat != nil {
		amount = " " + sats(*e.AmountMsat)
	}
	switch e.Role {
	case nip90.RoleRequest.String():
		return "●", "request", "request"
	case nip90.RoleResult.String():
		if e.Status == "error" {
			return "✕", "bad", "error" + quotedText(e.StatusText)
		}
		return "✓", "good", "result"
	case nip90.RoleCancel.String():
		return "–", "", "cancelled"
	case nip90.RoleZap.String(), nip90.RoleNutzap.String():
		return "●", "money", e.Role + amount
	case nip90.RoleRefund.String():
		return "↩", "money", "paid back" + amount
	case nip90.RoleReport.String():
		if e.Kind == nip90.KindLabel {
			return "⚑", "", "label"
		}
		return "⚑", "bad", "report"
	}
	switch e.Status {
	case "payment-required":
		return "$", "money", "asks" + amount
	case "error":
		return "✕", "bad", "error" + quotedText(e.StatusText)
	case "":
		return "●", "", "feedback"
	}
	if amount != "" {
		return "$", "money", e.Status + amount
	}
	return "●", "", e.Status
}

func quotedText(text string) string {
	if text == "" {
		return ""
	}
	return " “" + shorten(text, 40) + "”"
}
