// Package browser has the stories that need a browser: every screen at three widths, light and dark, with and without
// scripts; pages that change while somebody looks; the keyboard; what strangers put into names and texts. They build the
// dvmrelay binary of this tree, run it, and look at it with Debian's chromium.
//
// DVMRELAY_SHOTS names the directory for the screenshots, default ./shots. DVMRELAY_HOUR=60m makes the test for leaks that
// long. DVMRELAY_CHROMIUM names another binary of the browser.
package browser
