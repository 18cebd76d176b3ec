B
Identity:0J0zÌå?7›N@d†Ë?ê×½}8(AÀG}?ÐI´@ìS@ h¥¾ÉA@¾¤3z>þj?