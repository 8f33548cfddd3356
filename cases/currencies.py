"""ISO 4217 currency codes and their minor units.

Source: ISO 4217 List One, as published by SIX Group for the maintenance agency, read as of 1 January 2026 (with XCG and
ZWG, without ANG and BGN). Precious metals, bond units, the SDR and the codes for tests and "no currency" are left out:
they have no minor unit and nobody is refunded in them.
"""

from decimal import Decimal

_ALL = """
AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BOV BRL BSD BTN BWP BYN BZD CAD CDF CHE CHF CHW
CLF CLP CNY COP COU CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL
HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA
MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD
RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH UGX USD
USN UYI UYU UYW UZS VED VES VND VUV WST XAD XAF XCD XCG XOF XPF YER ZAR ZMW ZWG
"""
CODES = frozenset(_ALL.split())

_MINOR_UNITS = {
    0: "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF",
    3: "BHD IQD JOD KWD LYD OMR TND",
    4: "CLF UYW",
}
_EXCEPTIONS = {code: digits for digits, codes in _MINOR_UNITS.items() for code in codes.split()}


def minor_units(code: str) -> int:
    """Digits after the decimal point: 2 for most, 0 for JPY, 3 for KWD. Raises ``KeyError`` on an unknown code."""
    if code not in CODES:
        raise KeyError(code)
    return _EXCEPTIONS.get(code, 2)


def fits(amount: Decimal, code: str) -> bool:
    """Whether ``amount`` is a whole number of the currency's minor units, written with no digit too many."""
    exponent = amount.as_tuple().exponent
    return isinstance(exponent, int) and -exponent <= minor_units(code)
