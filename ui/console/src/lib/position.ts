/** Latitude and longitude in degrees as maps give them: « 45.8992, 6.1294 », « 45,8992 ; 6,1294 » or « 45.8992 6.1294 ». */
export function positionOf(text: string): { lat: number; lon: number } | undefined {
  const m = /^\s*(-?\d{1,2}(?:[.,]\d+)?)\s*(?:[;/ ]|,\s)\s*(-?\d{1,3}(?:[.,]\d+)?)\s*$/.exec(text) ?? /^\s*(-?\d{1,2}\.\d+),(-?\d{1,3}\.\d+)\s*$/.exec(text)
  if (!m) return
  const [lat, lon] = [m[1]!, m[2]!].map((s) => Number(s.replace(',', '.')))
  if (Math.abs(lat!) > 90 || Math.abs(lon!) > 180) return
  return { lat: lat!, lon: lon! }
}
