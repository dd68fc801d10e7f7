package web

import (
	"bytes"
	"net/http"
	"strings"

	"github.com/klauspost/compress/gzip"
)

// squeezeFrom is how long an answer must be to be worth squeezing, in bytes.
const squeezeFrom = 1400

// takesGzip says whether who asked can read gzip. RFC 9110 section 12.5.3.
func takesGzip(r *http.Request) bool {
	for _, header := range r.Header.Values("Accept-Encoding") {
		for one := range strings.SplitSeq(header, ",") {
			name, weight, _ := strings.Cut(strings.TrimSpace(one), ";")
			if !strings.EqualFold(strings.TrimSpace(name), "gzip") {
				continue
			}
			q := strings.TrimPrefix(strings.ReplaceAll(weight, " ", ""), "q=")
			return q == "" || strings.Trim(q, "0.") != ""
		}
	}
	return false
}

// squeezer makes a stream shorter. It keeps no state between two pieces, so that many open streams cost no memory.
type squeezer struct {
	out bytes.Buffer
	gz  *gzip.Writer
}

func newSqueezer() *squeezer {
	s := &squeezer{}
	s.gz, _ = gzip.NewWriterLevel(&s.out, gzip.StatelessCompression) // it fails for an unknown level only
	return s
}

// squeeze returns what to send for the next piece; it is good until the next call.
func (s *squeezer) squeeze(b []byte) ([]byte, error) {
	s.out.Reset()
	if _, err := s.gz.Write(b); err != nil {
		return nil, err
	}
	err := s.gz.Flush()
	return s.out.Bytes(), err
}

// squeezed is a whole answer, squeezed.
func squeezed(b []byte, level int) []byte {
	var out bytes.Buffer
	gz, err := gzip.NewWriterLevel(&out, level)
	if err != nil {
		return b // it fails for an unknown level only
	}
	_, _ = gz.Write(b) // a buffer takes everything
	_ = gz.Close()     // as above
	return out.Bytes()
}
