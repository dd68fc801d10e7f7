package web

func (s *Site) connectScreen() *screen { return &screen{path: "/connect", file: "event.html", load: nil} }
