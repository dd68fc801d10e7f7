package browser

// What the stories know of the pages stands here and nowhere else.
const (
	selMain        = "main"
	selNav         = "nav a[href]"
	selStrip       = "#strip"                  // the last 15 minutes of the overview, one link per job
	selLive        = "#live"                   // the newest jobs of the overview
	selPause       = "[data-pause]"            // a button with aria-pressed that holds what is live
	selEvents      = "#events"                 // the events of a thread
	selSignIn      = "[data-signin]"           // signs in with NIP-07
	selAnswer      = "[data-answer]"           // the form of "Answer it" on a thread
	signInPath     = "/"                       // a page that has it
	selThemeButton = ".theme button[value=%s]" // chooses light, dark or system
	chartLibrary   = "uplot"                   // in the address of the library for charts, which has no part in the bound of scripts
	attrPressed    = "aria-pressed"            // of the pause button
	selSign        = "[data-answer-sign]"      // in the form of selAnswer: signs and publishes
	selContent     = "textarea[name=content]"
	selStatus      = "[name=status]"
)

// jobPath is the page of a job, eventRow the row of an event on it.
func jobPath(id string) string       { return "/jobs/" + id }
func eventRow(id string) string      { return "event-" + id }
func linkTo(box, path string) string { return box + " a[href='" + path + "']" }
