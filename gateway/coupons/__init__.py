"""The API of coupons: claimed, listed and read by merchants; granted and voided by the campaign's manager."""
