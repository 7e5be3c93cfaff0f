package isodep

// CRCA computes CRC_A, low byte first (ISO/IEC 14443-3, annex B).
func CRCA(b []byte) [2]byte {
	w := uint16(0x6363)
	for _, x := range b {
		x ^= byte(w)
		x ^= x << 4
		w = w>>8 ^ uint16(x)<<8 ^ uint16(x)<<3 ^ uint16(x)>>4
	}
	return [2]byte{byte(w), byte(w >> 8)}
}
