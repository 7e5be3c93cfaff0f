package mfrc522

// Register addresses and bits. Section numbers are those of the MFRC522 product
// data sheet, Rev. 3.9 (NXP, 27 April 2016).
const (
	regCommand    = 0x01 // 9.3.1.2
	regComIEn     = 0x02 // 9.3.1.3
	regComIrq     = 0x04 // 9.3.1.5
	regError      = 0x06 // 9.3.1.7
	regFIFOData   = 0x09 // 9.3.1.10
	regFIFOLevel  = 0x0A // 9.3.1.11
	regControl    = 0x0C // 9.3.1.13
	regBitFraming = 0x0D // 9.3.1.14
	regColl       = 0x0E // 9.3.1.15
	regMode       = 0x11 // 9.3.2.2
	regTxMode     = 0x12 // 9.3.2.3
	regRxMode     = 0x13 // 9.3.2.4
	regTxControl  = 0x14 // 9.3.2.5
	regTxASK      = 0x15 // 9.3.2.6
	regModWidth   = 0x24 // 9.3.3.4
	regRFCfg      = 0x26 // 9.3.3.6
	regTMode      = 0x2A // 9.3.3.10
	regTPrescaler = 0x2B // 9.3.3.10
	regTReloadHi  = 0x2C // 9.3.3.11
	regTReloadLo  = 0x2D // 9.3.3.11
	regVersion    = 0x37 // 9.3.4.8
)

// Commands, 10.3.
const (
	cmdIdle       = 0x00
	cmdTransceive = 0x0C
	cmdSoftReset  = 0x0F
)

// Bits.
const (
	commandPowerDown = 0x10 // CommandReg.PowerDown: 1 until the oscillator runs (8.8.2)

	irqRx    = 0x20 // ComIrqReg.RxIRq: end of a valid data stream
	irqErr   = 0x02 // ComIrqReg.ErrIRq: any error bit of ErrorReg
	irqTimer = 0x01 // ComIrqReg.TimerIRq: timer reached zero
	irqClear = 0x7F // Set1 = 0: clear the marked bits

	errOverflow  = 0x10 // ErrorReg.BufferOvfl
	errCollision = 0x08 // ErrorReg.CollErr
	errCRC       = 0x04 // ErrorReg.CRCErr
	errParity    = 0x02 // ErrorReg.ParityErr
	errProtocol  = 0x01 // ErrorReg.ProtocolErr: SOF incorrect
	errBytes     = errOverflow | errCRC | errParity | errProtocol

	fifoFlush = 0x80 // FIFOLevelReg.FlushBuffer
	fifoSize  = 64   // 8.3

	framingStartSend = 0x80 // BitFramingReg.StartSend

	collPosNotValid = 0x20 // CollReg.CollPosNotValid
	collPosMask     = 0x1F // CollReg.CollPos; 0 means the 32nd bit

	antennaOff = 0x80 // TxControlReg, Tx1RFEn and Tx2RFEn clear
	antennaOn  = 0x83 // both drivers on
)

// setting is one register with its value.
type setting struct{ reg, val byte }

// The timer counts 13.56 MHz / (2·169 + 1) = 40 kHz, and 121 steps make 3 ms
// (8.5). Cards answer these frames within 0.1 ms + 0.5 ms of bits (ISO/IEC
// 14443-3, 6.2.1.1), so 3 ms of silence means that no card is there.
const (
	timerPrescaler = 169
	timerReload    = 120
)

// configuration returns what every reset is followed by. TPrescaler doubles as
// the sentinel: it resets to 0x00, so that reading it back tells a chip that
// lost its configuration (brown-out) from one that is well.
func configuration(gain byte) []setting {
	return []setting{
		{regTxMode, 0x00},   // 106 kbit/s, no CRC by the chip: it is checked here
		{regRxMode, 0x00},   // 106 kbit/s
		{regModWidth, 0x26}, // Miller pause width at 106 kbit/s
		{regTMode, 0x80},    // TAuto: timer starts at the end of each transmission
		{regTPrescaler, sentinelTimer},
		{regTReloadHi, timerReload >> 8},
		{regTReloadLo, timerReload & 0xFF},
		{regTxASK, 0x40}, // Force100ASK, whatever ModGsP holds
		{regMode, 0x3D},  // CRC preset 0x6363 (ISO/IEC 14443-3), TxWaitRF
		{regRFCfg, gain},
		{regComIEn, 0x80}, // the IRQ pin is not used
		{regColl, 0x00},   // ValuesAfterColl = 0: bits after a collision read as zero
		{regTxControl, antennaOff},
	}
}

const sentinelTimer = timerPrescaler
